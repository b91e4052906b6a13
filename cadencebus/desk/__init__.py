"""What the verbs share: looking ticks up, changing them, telling why they wait, printing answers."""
