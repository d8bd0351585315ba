"""What is known of flow runs on this machine, beyond the process that ran them: a database and their logs."""
