-- Why: models cost money, and whoever pays wants to say how much.

-- How much may be spent in a period, of tokens or of money (millionths of a US dollar) or both.
create table budgets (
    id text collate "C" not null primary key,
    project_id text collate "C" unique references projects (id),
    user_id text collate "C" unique references users (id),
    period text not null check (period in ('day', 'month', 'total')),
    max_tokens bigint check (max_tokens >= 0),
    max_micro_usd bigint check (max_micro_usd >= 0),
    revision bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    check ((project_id is null) <> (user_id is null)),
    check (max_tokens is not null or max_micro_usd is not null)
);

-- What was spent since a moment, and what questions that are on their way may cost at most.
create table budget_use (
    budget_id text collate "C" not null references budgets (id) on delete cascade,
    period_start bigint not null,
    tokens bigint not null check (tokens >= 0),
    micro_usd bigint not null check (micro_usd >= 0),
    primary key (budget_id, period_start)
);
