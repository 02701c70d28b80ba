# Runs the user's own text for --server. Arguments: that text, and those of mosh-server. A session of stock mosh shows
# the variable, if the user wants to know what runs there.
moshpunch_address
MOSHPUNCH_OFFER=1
export MOSHPUNCH_OFFER
moshpunch_text=$1
shift
eval "$moshpunch_text \"\$@\""
