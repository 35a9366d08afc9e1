"""Real servers that tests read: started once, on addresses of their own, ended by process id."""
