"""The lab bank: a written-down synthetic institution to try everything on."""
