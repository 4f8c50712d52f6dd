//! Clients of other processes: generation (`AI_SERVICE_URL`) and checks (`MCP_SERVER_URL`).

pub mod checker;
pub mod generator;
