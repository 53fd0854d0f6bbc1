"""What the notebooks import: checks with their hints, data, figures and explorers."""
