"""Renderers: schedules and settings as launchd, systemd and crontab texts; they write nothing."""
