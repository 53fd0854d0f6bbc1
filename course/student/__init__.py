"""What a student runs beside the notebooks: JupyterLab on their own copy, checks in a terminal, the file to hand in."""
