"""What the verbs share: finding a tick, changing it, telling why it waits."""
