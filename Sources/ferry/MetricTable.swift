/// What Ferry tells at `/metrics`. The labels of each are closed sets: never an order, a customer or a vendor's words.

/// The `# HELP` lines of `/metrics`.
let metricHelp: [String: String] = [
  "ferry_polled_total": "Revisions of orders read from OKKI and published.",
  "ferry_poll_cycles_total": "Poll cycles that reached OKKI's now.",
  "ferry_poll_failures_total": "Poll cycles that ended early.",
  "ferry_page_drift_total": "Slices read again because pages moved while they were read.",
  "ferry_customer_drift_total":
    "Cycles in which OKKI's list of customers kept changing while it was read; orders were read all the same.",
  "ferry_poll_interval_seconds":
    "FERRY_POLL_INTERVAL_SECONDS: so long a poller that leads rests between two cycles.",
  "ferry_poll_leader": "1 in the process that polls, 0 in those that stand by.",
  "ferry_unreadable_rows_total":
    "Rows of OKKI's lists of orders and customers that could not be read; those of orders are parked.",
  "ferry_customer_poll_failures_total": "Cycles in which customers could not be read from OKKI; orders were.",
  "ferry_okki_clock_back_total":
    "Times when OKKI's clock was found behind a watermark; what changed since that was moved is read again.",
  "ferry_watermark_epoch_seconds":
    "Every order up to this time has been published and confirmed; it goes back where OKKI's clock does.",
  "ferry_removals_polled_total": "Deletions of orders read from OKKI and published.",
  "ferry_refetched_total": "Orders read anew from OKKI because somebody asked for it.",
  "ferry_removed_poll_failures_total": "Cycles in which deleted orders could not be read from OKKI; orders were.",
  "ferry_removed_watermark_epoch_seconds":
    "Every deletion up to this time has been published and confirmed; it goes back where OKKI's clock does.",
  "ferry_reconcile_found_total":
    "Orders that only a reconciliation found: missed, or changed without their update_time.",
  "ferry_sweep_failures_total": "Reconciliations and backfills interrupted; they go on.",
  "ferry_transformed_total": "Orders mapped to bills.",
  "ferry_loaded_total": "Bills written to K/3, or found there after a doubt.",
  "ferry_oldest_doubt_seconds":
    "How long the bill that is in doubt for longest is so; 0 when none is, left out while PostgreSQL does not tell.",
  "ferry_settled_total": "Orders or bills that were acknowledged, since what came of them is safe.",
  "ferry_outcomes_total": "Outcomes of messages by stage and reason.",
  "ferry_dead_letters_total": "Messages parked by stage and reason.",
  "ferry_concurrency_limit": "Requests to this partner that may be under way at a time in this process.",
  "ferry_paused": "1 while a role holds back because this partner is away, by what it last saw of it.",
  "ferry_settled_messages_total":
    "Messages acknowledged to RabbitMQ. One carries up to 16 orders or 8 bills: ferry_settled_total by this is how many.",
  "ferry_broker_blocked": "1 while RabbitMQ holds back what this process publishes (memory or disk alarm).",
  "ferry_busy_seconds_total":
    "Seconds in which at least one batch was under way; side by side counts once. By ferry_settled_total it is what one "
    + "order or bill takes of a process. Waiting for a broker that takes nothing is left out.",
  "ferry_certificate_expiry_epoch_seconds":
    "When the certificate ends that this partner showed this process last; left out before that, and in the clear.",
  "ferry_confirm_seconds":
    "From handing a round of messages to RabbitMQ to its last confirm, or until it was given up.",
  "ferry_dead_letters_waiting":
    "Letters in the archive that nobody has decided on. Parked messages that are not filed yet are in the dead queues.",
  "ferry_dedup_hits_total":
    "What was there already. listed: orders of OKKI's lists that were published before, such as in the overlap of two windows; "
    + "delivered: bills that were delivered again and that the ledger knew.",
  "ferry_delivery_seconds":
    "From the moment in which the poller read a revision of an order to its bill known as written in K/3.",
  "ferry_in_flight": "Orders or bills in the batches that are under way.",
  "ferry_info": "1; the labels tell version and role.",
  "ferry_last_progress_epoch_seconds":
    "When this process last settled a message, or finished a poll cycle; before that when it began.",
  "ferry_lent_messages":
    "Messages that RabbitMQ has lent to this process and that are not acknowledged. One carries up to 16 orders or 8 bills.",
  "ferry_oldest_dead_letter_seconds":
    "Age of the oldest letter in the archive that nobody has decided on; 0 when there is none.",
  "ferry_open_doubts": "Bills of which nobody knows whether K/3 has them.",
  "ferry_poll_window_lag_seconds":
    "What the poll cycle under way has left to read: the end of its window, by OKKI's clock, less the end of the last part "
    + "that was read. 0 when it is through.",
  "ferry_polled_pages_total": "Pages of OKKI's lists of orders, deleted orders and customers that were read.",
  "ferry_queue_messages": "Messages ready in a queue. One carries up to 16 orders or 8 bills.",
  "ferry_rate_tokens":
    "Requests that this process may send at once now: its share of the installation's rate limit that is not used yet.",
  "ferry_retries_total":
    "Orders or bills that are tried again, by the delay queue that they wait in.",
  "ferry_transform_seconds":
    "From handing a batch of up to 64 orders to the strategies to its bills, the questions for records included.",
  "ferry_rate_wait_seconds":
    "How long a group of requests waited for the installation's rate limit; one observation a grant.",
  "ferry_reconnects_total": "Connections made anew after one was lost.",
  "ferry_request_seconds":
    "From a request's turn to its answer or end, connecting included, of requests that were handed to the network.",
  "ferry_requests_total": "Requests by how they ended.",
  "ferry_returned_total": "Messages that RabbitMQ returned, since no queue takes them; they are published again.",
  "ferry_unconfirmed": "Messages handed to RabbitMQ of which the fate is not known yet.",
]

/// The buckets of histograms, in seconds.
let metricBuckets: [String: [Double]] = [
  "ferry_confirm_seconds": [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30],
  "ferry_delivery_seconds": [
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400,
  ],
  "ferry_rate_wait_seconds": [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  "ferry_transform_seconds": [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  "ferry_request_seconds": [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
]
