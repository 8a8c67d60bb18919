"""The list of recoveries on a CloudWatch dashboard, as HTML: pure, without AWS and without a clock."""
