//! The pages, rendered on the server: one file each. They work without scripts; a script only adds comfort.

pub mod account;
pub mod assets;
pub mod auth_pages;
mod budgets;
pub mod diagrams;
mod folders;
pub mod home;
pub mod layout;
mod local_path;
pub mod oidc;
pub mod projects;

use axum::{
    Router,
    routing::{MethodRouter, get, post},
};

use crate::Shared;

/// THE table of pages.
pub fn pages() -> Vec<(&'static str, MethodRouter<Shared>)> {
    vec![
        ("/", get(home::show_home).post(home::submit_home)),
        ("/set-up", get(auth_pages::show_set_up).post(auth_pages::submit_set_up)),
        ("/sign-in", get(auth_pages::show_sign_in).post(auth_pages::submit_sign_in)),
        ("/sign-in/code", post(auth_pages::submit_code)),
        ("/sign-in/oidc", get(oidc::begin_oidc)),
        ("/sign-in/oidc/callback", get(oidc::finish_oidc)),
        ("/sign-out", post(auth_pages::submit_sign_out)),
        ("/forgot-password", get(auth_pages::show_forgot_password).post(auth_pages::submit_forgot_password)),
        ("/reset-password", get(auth_pages::show_reset_password).post(auth_pages::submit_reset_password)),
        ("/verify-email", get(auth_pages::show_verify_email).post(auth_pages::submit_verify_email)),
        ("/invitation", get(auth_pages::show_invitation).post(auth_pages::submit_invitation)),
        ("/account", get(account::show_account).post(account::submit_account)),
        ("/projects", get(projects::show_projects).post(projects::submit_projects)),
        ("/projects/{project}", get(projects::show_project).post(projects::submit_project)),
        ("/diagrams/{diagram}", get(diagrams::show_diagram).post(diagrams::submit_diagram)),
    ]
}

/// What stands at the address of a process without pages.
pub fn root() -> Router<Shared> {
    Router::new().route("/", get(home::show_service))
}

/// The pages as routes.
pub fn routes() -> Router<Shared> {
    let routes = Router::new().route("/assets/{file}", get(assets::find_asset));
    pages().into_iter().fold(routes, |routes, (path, methods)| routes.route(path, methods))
}
