//! Requirements in, validated diagrams out.
