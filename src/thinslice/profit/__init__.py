"""What is it worth? The plan and an effect in; money with a range and a verdict out. Open `worth.py` first."""
