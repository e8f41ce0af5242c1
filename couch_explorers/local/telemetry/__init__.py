"""What the local cloud measures of itself, where MiniStack does not: metrics, alarms and their e-mails."""
