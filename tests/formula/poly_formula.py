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


@m.operation(logits=m.scores, target=m.labels, class_weight=m.weights)
def weighted(logits, target, *, class_weight=None, ignore_index=-100, reduction="mean"):
    factor = 1.0 if class_weight is None else m.take(class_weight, target)
    factor = m.where(target == ignore_index, 0.0, factor)
    rows = m.where(target == ignore_index, 0.0, -factor * m.take(m.log_softmax(logits), target))
    return m.reduce(rows, reduction, m.sum(factor))
