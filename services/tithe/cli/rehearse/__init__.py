"""`tithe rehearse`: the loop played on labeled data before anybody is paid to label."""
