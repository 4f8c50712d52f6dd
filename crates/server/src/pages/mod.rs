//! The pages, rendered on the server: one file each. They work without scripts.

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
mod trace;

use axum::routing::{get, post};

use crate::route::Route;

/// The route table of pages.
pub fn routes() -> Vec<Route> {
    vec![
        // For programs it is public; people are redirected to sign in.
        Route::page("/", get(home::show_home).post(home::submit_home)).public(),
        Route::page("/set-up", get(auth_pages::show_set_up).post(auth_pages::submit_set_up)).public(),
        Route::page("/sign-in", get(auth_pages::show_sign_in).post(auth_pages::submit_sign_in)).public(),
        Route::page("/sign-in/code", post(auth_pages::submit_code)).public(),
        Route::page("/sign-in/oidc", get(oidc::begin_oidc)).public(),
        Route::page("/sign-in/oidc/callback", get(oidc::finish_oidc)).public(),
        Route::page("/sign-out", post(auth_pages::submit_sign_out)),
        Route::page(
            "/forgot-password",
            get(auth_pages::show_forgot_password).post(auth_pages::submit_forgot_password),
        )
        .public(),
        Route::page(
            "/reset-password",
            get(auth_pages::show_reset_password).post(auth_pages::submit_reset_password),
        )
        .public(),
        Route::page(
            "/verify-email",
            get(auth_pages::show_verify_email).post(auth_pages::submit_verify_email),
        )
        .public(),
        Route::page("/invitation", get(auth_pages::show_invitation).post(auth_pages::submit_invitation))
            .public(),
        Route::page("/account", get(account::show_account).post(account::submit_account)),
        Route::page("/projects", get(projects::show_projects).post(projects::submit_projects)),
        Route::page("/projects/{project}", get(projects::show_project).post(projects::submit_project)),
        Route::page("/diagrams/{diagram}", get(diagrams::show_diagram).post(diagrams::submit_diagram)),
        Route::page("/diagrams/{diagram}/versions/{file}", get(diagrams::files::find_file)),
        Route::page("/assets/{file}", get(assets::find_asset)).asset(),
    ]
}

/// `/` of a process without pages.
pub fn root() -> Vec<Route> {
    vec![Route::page("/", get(home::show_service)).public()]
}
