# Runs the user's own text for --server. Arguments: that text, and those of mosh-server. Set before: moshpunch_channel. A
# session of stock mosh shows the variables, if the user wants to know what runs there.
moshpunch_address
MOSHPUNCH_OFFER=1
export MOSHPUNCH_OFFER
moshpunch_ask_for_channel
moshpunch_text=$1
shift
eval "$moshpunch_text \"\$@\""
