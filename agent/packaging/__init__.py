"""Makes the packages in which the agent is installed: zipapp, Debian package, signed manifest; holds the recipes for
Windows and macOS as data. Nothing here is part of the agent as it is installed."""
