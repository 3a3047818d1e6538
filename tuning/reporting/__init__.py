"""What a search is shown as: a table, a page with its plots, and TensorBoard's view of hyperparameters."""
