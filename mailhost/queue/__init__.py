"""The outbound queue: `sql` keeps its rows, `model` says when to try again and when to give up."""
