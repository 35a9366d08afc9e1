"""What must be true of an asset, pillar by pillar: pure statements over columns; no words, thresholds or clocks."""
