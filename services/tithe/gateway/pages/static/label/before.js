// The text annotator was built for a bundler: it asks what it runs in.
window.process = { env: { NODE_ENV: "production" } };
