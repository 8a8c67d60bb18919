"""The story that `gotostate show` tells of a failure and its resumes, and the forms that it is shown in."""
