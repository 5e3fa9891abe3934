"""What an operator tells a daemon at work: a drain, a hold, a pin, and that one of them is to end."""
