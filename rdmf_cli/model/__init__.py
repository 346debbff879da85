"""The learned form of fusion and moments: channels in, spans with scores, saliency, presence out.

config.py    what a head is made of            channels.py  what a query says of each clip
inputs.py    a sample as a head reads it       slots.py     level sets as the decoder's slots
reading.py   from the network's numbers to the answer

With torch: network.py (fusions, blocks, metric, pooling, decoder), batch.py, checkpoint.py,
torch_head.py, rates.py (what the learned rates do).
"""
