-- Why: of one person only some jobs run at once, so that taking up a job counts those that run.
create index jobs_running_by_author on jobs (created_by) where status = 'running';
