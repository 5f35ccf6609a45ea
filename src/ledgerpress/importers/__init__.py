"""Content from elsewhere: pages are parsed, then carried in through the same commands that editors use."""
