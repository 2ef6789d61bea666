//! Logs and metrics: set-up and the names that dashboards rely on.
