"""A loss that the suite has never seen, in nine lines."""

from conformance import formula as m


@m.operation(logits=m.scores, target=m.labels)
def poly_cross_entropy(logits, target, *, epsilon=1.0, reduction="mean"):
    log_p = m.take(m.log_softmax(logits), target)
    return m.reduce(-log_p + epsilon * (1 - m.exp(log_p)), reduction)


@m.operation(logits=m.scores, target=m.labels)
def misspelt(logits, target):
    return m.mean(m.take(m.log_softmx(logits), target))


@m.operation(logits=m.scores, target=m.labels)
def unfit(logits, target):
    return m.mean(logits - m.take(logits, target))


def undecorated(logits, target):
    return m.cross_entropy(logits, target)
