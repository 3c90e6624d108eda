"""What crosses a process boundary: messages, labels, projects and the shapes of the HTTP interface."""
