"""The pages: what people see in a browser. They are drawn here and speak to the same interface as everybody."""
