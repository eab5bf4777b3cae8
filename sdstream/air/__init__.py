"""What a sink shows, and when: policies that are given the time and never look at a clock."""
