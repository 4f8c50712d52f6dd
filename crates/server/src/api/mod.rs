//! The API: one file for each resource, with its wire types, its documentation and its handlers.

pub mod account;
pub mod audit;
pub mod audit_export;
pub mod budgets;
pub mod compare;
pub mod diagrams;
pub mod events;
pub mod extract;
pub mod folders;
pub mod generate;
pub mod health;
pub mod identities;
pub mod jobs;
pub mod log_level;
pub mod members;
pub mod projects;
pub mod proof;
pub mod provider_keys;
pub mod recovery_codes;
pub mod render;
pub mod repair;
pub mod reply;
pub mod requirements;
pub mod reviews;
pub mod sign_in;
pub mod tokens;
pub mod users;
pub mod validate;
pub mod webhooks;

use utoipa_axum::routes;

use crate::route::Route;

/// Health and metrics, which every role has.
pub fn probes() -> Vec<Route> {
    [
        routes!(health::find_health),
        routes!(health::find_livez),
        routes!(health::find_readyz),
        routes!(health::find_startupz),
        routes!(health::find_metrics),
    ]
    .map(|row| Route::new(row).probe())
    .into()
}

/// The route table of the API. The path, the method and the documentation come from `#[utoipa::path]` on the handler.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(routes!(generate::generate_diagram)),
        Route::new(routes!(jobs::find_job)),
        Route::new(routes!(jobs::list_jobs)),
        Route::new(routes!(events::follow_project)),
        Route::new(routes!(webhooks::list_webhooks, webhooks::create_webhook)),
        Route::new(routes!(webhooks::find_webhook, webhooks::update_webhook, webhooks::delete_webhook)),
        Route::new(routes!(webhooks::list_deliveries)),
        Route::new(routes!(validate::validate_code)),
        Route::new(routes!(repair::repair_code)),
        Route::new(routes!(render::render_code)),
        Route::new(routes!(compare::compare_diagrams)),
        Route::new(routes!(compare::patch_diagram)),
        Route::new(routes!(sign_in::create_session)).public(),
        Route::new(routes!(sign_in::finish_session)).public(),
        Route::new(routes!(sign_in::list_sessions)),
        Route::new(routes!(sign_in::delete_session)),
        Route::new(routes!(sign_in::create_password_reset)).public(),
        Route::new(routes!(sign_in::finish_password_reset)).public(),
        Route::new(routes!(account::find_me, account::update_me, account::delete_me)),
        Route::new(routes!(account::export_me)),
        Route::new(routes!(account::update_password)),
        Route::new(routes!(account::update_email)),
        Route::new(routes!(account::create_verification)),
        Route::new(routes!(
            account::offer_second_factor,
            account::set_second_factor,
            account::delete_second_factor
        )),
        Route::new(routes!(recovery_codes::count_recovery_codes, recovery_codes::create_recovery_codes)),
        Route::new(routes!(identities::list_identities)),
        Route::new(routes!(identities::delete_identity)),
        Route::new(routes!(budgets::find_my_budget)),
        Route::new(routes!(
            budgets::find_project_budget,
            budgets::set_project_budget,
            budgets::delete_project_budget
        )),
        Route::new(routes!(budgets::find_user_budget, budgets::set_user_budget, budgets::delete_user_budget)),
        Route::new(routes!(provider_keys::list_my_provider_keys)),
        Route::new(routes!(provider_keys::set_my_provider_key, provider_keys::delete_my_provider_key)),
        Route::new(routes!(provider_keys::list_project_provider_keys)),
        Route::new(routes!(
            provider_keys::set_project_provider_key,
            provider_keys::delete_project_provider_key
        )),
        Route::new(routes!(tokens::list_tokens, tokens::create_token)),
        Route::new(routes!(tokens::delete_token)),
        Route::new(routes!(users::list_users, users::create_user)),
        Route::new(routes!(users::update_user)),
        Route::new(routes!(audit::list_events)),
        Route::new(routes!(log_level::find_log_level, log_level::update_log_level)),
        Route::new(routes!(audit_export::export_events)),
        Route::new(routes!(projects::list_projects, projects::create_project)),
        Route::new(routes!(projects::find_project, projects::update_project)),
        Route::new(routes!(audit::list_project_events)),
        Route::new(routes!(audit_export::export_project_events)),
        Route::new(routes!(folders::list_folders, folders::create_folder)),
        Route::new(routes!(folders::find_folder, folders::update_folder, folders::delete_folder)),
        Route::new(routes!(members::list_members)),
        Route::new(routes!(members::update_member, members::delete_member)),
        Route::new(routes!(members::list_invitations, members::create_invitation)),
        Route::new(routes!(members::delete_invitation)),
        Route::new(routes!(members::accept_invitation)),
        Route::new(routes!(diagrams::list_diagrams, diagrams::create_diagram)),
        Route::new(routes!(diagrams::find_diagram, diagrams::update_diagram)),
        Route::new(routes!(diagrams::list_versions, diagrams::create_version)),
        Route::new(routes!(diagrams::find_version)),
        Route::new(routes!(diagrams::restore_version)),
        Route::new(routes!(reviews::list_approvals, reviews::create_approval)),
        Route::new(routes!(reviews::list_comments, reviews::create_comment)),
        Route::new(routes!(reviews::resolve_comment)),
        Route::new(routes!(requirements::list_trace_links, requirements::create_trace_link)),
        Route::new(routes!(requirements::delete_trace_link)),
        Route::new(routes!(requirements::confirm_trace_link)),
        Route::new(routes!(requirements::list_requirements, requirements::create_requirement)),
        Route::new(routes!(requirements::import_requirements)).max_body_bytes(requirements::MAX_IMPORT_BYTES),
        Route::new(routes!(requirements::find_requirement, requirements::update_requirement)),
        Route::new(routes!(requirements::list_requirement_versions)),
        Route::new(routes!(reviews::list_baselines, reviews::create_baseline)),
        Route::new(routes!(reviews::find_baseline)),
        Route::new(routes!(reviews::list_terms, reviews::create_term)),
        Route::new(routes!(reviews::update_term, reviews::delete_term)),
    ]
}
