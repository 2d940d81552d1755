"""How long things may take. Durations are seconds; jitter and doubling are decided in `retry`."""

from __future__ import annotations

from datetime import timedelta

# A message lost on its way to a worker is missed after this long, and sent again.
DISPATCH_DUE = timedelta(seconds=60)
# Every waiting job is looked at this often at least; visiting any of them hands over the head.
WAITING_DUE = timedelta(seconds=120)
# Function time-out (60 s) + the longest single call to the provider (30 s) + margin.
START_LEASE = timedelta(seconds=120)
# Function time-out (120 s) + the longest single download (60 s) + margin.
SAVING_LEASE = timedelta(seconds=210)
# Publishing (copies, thumbnails, the settling transaction) needs at most this long.
PUBLISHING_NEEDS_S = 30.0
# First look at a prediction that nobody reported on; then doubling up to the maximum.
POLL_FIRST = timedelta(seconds=30)
POLL_MAX = timedelta(seconds=240)
# The provider's own deadline (Cancel-After) acts first; ours looks this much later.
DEADLINE_MARGIN = timedelta(seconds=30)
# After we asked for a cancel, look whether the provider has obeyed.
CANCEL_DUE = timedelta(seconds=15)
# Outputs live for an hour: a saving that fails is tried often in it, however often it has failed.
SAVING_RETRY = timedelta(seconds=30)
SAVING_RETRY_MAX = timedelta(minutes=4)
# When an output is still not served so long after its prediction, the others are not risked for it.
OUTPUTS_LATE = timedelta(minutes=45)
# First look at a judge that has not answered yet; then doubling up to the maximum.
JUDGE_FIRST = timedelta(seconds=10)
JUDGE_MAX = timedelta(minutes=4)
# What a judge said of a text stays true as long as the judge does; to forget it costs a question.
JUDGEMENT_KEPT = timedelta(days=30)
TICKET_KEPT = timedelta(hours=1)
DELETING_DUE = timedelta(seconds=120)
QUEUE_AGE_MAX = timedelta(days=1)
# Creates whose fate nobody knows: so many are tried again, then the job fails `provider_unknown`.
LOST_CREATES_MAX = 2
IDEMPOTENCY_KEPT = timedelta(hours=24)
DUE_SHARDS = 4
# As START_LEASE and SAVING_LEASE: trainings upload photos, and may copy hundreds of megabytes of weights.
TRAINING_START_LEASE = timedelta(seconds=240)
TRAINING_SAVING_LEASE = timedelta(seconds=480)
# Its progress is read off its log that often.
TRAINING_POLL_MAX = timedelta(seconds=60)
# How long a client may take to upload a photo, by the policy that it was given.
UPLOAD_WINDOW = timedelta(minutes=30)
# A photo that nobody told of, or whose check was lost, is looked at this often.
PHOTO_DUE = timedelta(minutes=5)
# How long an account is suspended: the first time, the second, and from then on.
SUSPENSIONS = (timedelta(days=1), timedelta(days=7), timedelta(days=30))
# A row that this version of the code cannot read is looked at this often.
UNREADABLE_DUE = timedelta(hours=1)
