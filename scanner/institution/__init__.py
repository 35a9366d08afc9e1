"""What the institution writes: its estate, secrets by reference, registers of documents, schedules."""
