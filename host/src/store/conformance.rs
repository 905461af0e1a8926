//! What every store must do, written against the trait alone. Another store runs all
//! of it with one line: `conformance!(subject)`.

pub(super) mod accept;
pub(super) mod attempts;
pub(super) mod claims;
pub(super) mod commands;
pub(super) mod destinations;
pub(super) mod lines;
pub(super) mod listed;
pub(super) mod processed;
pub(super) mod replay;
pub(super) mod secrets;
pub(super) mod shown;
pub(super) mod state;
mod support;
pub(super) mod tidied;
pub(super) mod time;

pub(super) use support::{Subject, attempt};

/// Runs every case against a fresh subject each.
macro_rules! conformance {
    ($subject:expr) => {
        $crate::store::conformance::cases! { $subject;
            accept: an_event_has_one_pending_run_for_each_route, an_event_without_a_route_is_recorded,
                a_batch_is_answered_in_order,
                a_run_that_is_dead_on_arrival_stays_so_and_a_sound_repeat_is_an_event, with_a_lease_new_runs_are_claimed_in_the_same_step,
                a_repeat_inside_the_window_is_answered_with_the_first_id, a_repeat_in_the_same_batch_is_one,
                keys_of_other_sources_are_other_keys, after_the_window_a_key_is_new_again,
                a_window_is_counted_from_the_first, a_repeat_makes_failed_runs_due_again,
                a_repeat_leaves_other_runs_alone, a_repeat_makes_dead_deliveries_due_again,
                a_repeat_leaves_other_deliveries_alone;
            claims: runs_come_oldest_due_first_up_to_the_limit, what_is_leased_is_not_claimed_again,
                an_expired_lease_is_claimable_and_its_token_then_stale, released_runs_are_claimable_at_once,
                a_claim_of_runs_ends_with_the_bytes_that_are_asked_for, next_due_names_the_earliest_that_was_left, deliveries_are_claimed_for_each_destination_up_to_its_limit,
                deliveries_come_oldest_due_first, expired_delivery_leases_are_claimable_and_their_tokens_then_stale,
                released_deliveries_are_claimable_at_once, runs_of_one_event_are_claimed_each,
                leases_are_void_after_reopening;
            processed: deliveries_are_born_pending_and_due, with_a_lease_new_deliveries_are_handed_over,
                a_run_without_deliveries_is_processed, a_dropped_run_keeps_its_reason_and_steps,
                a_failed_run_keeps_its_reason, a_run_to_retry_is_due_then_and_counts_an_attempt,
                a_held_run_waits_and_counts_no_attempt, resuming_stops_at_its_limit_and_goes_on_behind_it,
                only_those_go_on_whose_holder_is_named,
                a_second_commit_is_stale_and_changes_nothing, a_delivery_that_exists_is_left_as_it_is,
                one_stale_result_leaves_the_others;
            state: what_a_run_writes_is_read_with_a_version, a_changed_version_is_a_conflict_and_writes_nothing,
                a_key_that_appeared_is_a_conflict, one_batch_compares_in_order, a_dropped_run_commits_its_state,
                ends_that_are_no_end_of_the_plugins_work_commit_no_state, a_version_is_the_writers_own,
                a_result_may_build_on_one_that_is_committed_before_it,
                what_builds_on_a_refused_result_is_refused_with_it, what_a_plugins_values_take_is_counted,
                writes_take_effect_in_order, a_value_is_forgotten_after_its_ttl, plugins_do_not_share_keys;
            attempts: a_2xx_delivers, a_retry_is_pending_until_its_due_time, an_answer_of_410_costs_no_part_of_the_schedule, a_dead_delivery_is_kept,
                every_part_of_an_attempt_is_kept, an_attempt_under_a_stale_lease_is_refused,
                an_attempt_is_recorded_once, another_deliverys_lease_is_refused;
            shown: everything_of_an_event_is_shown, what_is_not_there_is_none, deliveries_are_listed_newest_first,
                deliveries_are_filtered, deliveries_are_filtered_by_time, pages_follow_each_other, a_cursor_of_no_list_is_refused,
                the_backlog_counts_what_waits, everything_is_there_after_reopening, a_closed_store_says_so;
            listed: events_are_listed_newest_first_with_what_tells_them_apart,
                events_are_filtered_by_source_type_and_time, events_are_filtered_by_a_status_that_follows_their_work,
                pages_of_events_follow_each_other;
            tidied: finished_events_go_with_all_that_is_theirs, what_waits_stays_however_old,
                failed_events_are_kept_for_their_own_time, time_is_counted_from_the_last_end,
                a_replay_keeps_its_event,
                those_behind_a_dead_one_that_is_gone_go_on, a_repeat_of_what_is_gone_is_still_a_repeat,
                what_has_expired_goes_and_what_has_not_stays, a_number_is_never_given_again,
                many_go_in_small_steps_and_the_walk_begins_again;
            lines: the_first_of_a_line_is_due_and_the_others_wait, lines_go_side_by_side,
                a_retry_keeps_its_place, an_expired_lease_lets_nobody_past, a_dead_one_holds_its_line,
                where_the_dead_are_skipped_the_next_goes_on, nothing_passes_an_earlier_run_of_its_route,
                a_gate_moves_as_far_as_the_next_pending_run, other_routes_and_unordered_runs_hold_nobody,
                two_routes_into_one_line_go_one_at_a_time, messages_of_one_run_follow_each_other,
                a_run_from_before_the_order_stands_behind_all,
                a_failed_run_that_is_due_again_stands_behind_all, a_repeat_revives_a_dead_one_in_its_place,
                lines_survive_reopening, settling_lets_those_behind_the_dead_go_on,
                beyond_max_pending_they_are_born_dead, one_that_is_born_dead_has_its_place_in_line;
            commands: a_dead_one_is_due_at_the_beginning_of_its_schedule,
                a_pending_one_is_due_now_and_goes_on_with_its_schedule,
                one_that_is_under_way_is_not_sent_twice, a_cancelled_one_is_sent_no_more,
                what_happened_after_a_cancel_is_what_is_shown,
                one_cancelled_and_retried_under_way_waits_for_its_attempt, what_cannot_be_done_is_refused,
                commands_keep_lines_in_order;
            replay: a_replay_is_a_new_generation_of_runs, each_replay_is_the_next_generation,
                replays_stand_behind_what_was_accepted_before, a_later_replay_of_an_earlier_event_waits,
                unordered_replays_wait_for_nobody, a_repeat_revives_nothing_that_a_replay_replaced;
            destinations: commands_change_what_is_said, since_when_is_what_was_said_first,
                a_stale_attempt_disables_nothing, what_is_said_survives_reopening;
            secrets: secrets_are_kept_by_source_newest_first, a_source_that_is_full_keeps_what_it_has,
                forgetting_takes_all_of_one_source, secrets_survive_reopening_and_never_print;
            time: a_wall_clock_that_jumps_ahead_sends_nothing_leased_again,
                a_wall_clock_that_jumps_back_loses_nothing, work_under_a_lease_survives_jumps;
        }
    };
}

macro_rules! cases {
    ($subject:expr; $($area:ident: $($case:ident),+;)+) => {
        $(mod $area {
            use super::*;
            $(#[tokio::test]
            async fn $case() {
                $crate::store::conformance::$area::$case(&$subject).await;
            })+
        })+
    };
}

pub(super) use {cases, conformance};
