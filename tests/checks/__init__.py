"""What each check says of small worlds."""
