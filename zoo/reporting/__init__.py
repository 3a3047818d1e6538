"""What a run is shown as: plots, the HTML report, and one honest sentence."""
