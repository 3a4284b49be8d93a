"""What has one shop in force? Its data directory in; lists, categories and photos that answer out.

Beside `engine.py` the only place that knows several stages. Open `shelf.py` first.
"""
