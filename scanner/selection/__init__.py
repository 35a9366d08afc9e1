"""Which systems come first: scenes, risk and impact of every system of the inventory; pure."""
