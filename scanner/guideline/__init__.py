"""The guideline as data, proved against the checks that it uses."""
