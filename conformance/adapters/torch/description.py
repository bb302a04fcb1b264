"""PyTorch, without importing it."""

from ..description import EAGER, Description, Mode, Variant

#: What CPU autocast computes in float32 whatever the inputs: their results of half inputs are float32. The
#: last five are no operators of its own: they end in one that is.
AUTOCAST_TO_FLOAT32 = (
    "nll_loss",
    "cross_entropy",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "kl_div",
    "linear_cross_entropy",
    "token_log_prob",
    "js_div",
    "sigmoid_focal_loss",
    "capped_cross_entropy",
)
ROWS_ALONE = (
    "reductions: it keeps rows apart, so reduction none alone",
    "an operation along the first axis: that is the one it maps over",
    "weights or a mask of the elements: it would share them among the rows",
    "scores of classes of another shape than (N, C), and attention without a batch: these are no rows",
)

DESCRIPTION = Description(
    modes=(
        EAGER,
        Mode(
            "compile",
            "compiled by inductor, one program a shape and dtype",
            "torch.compile(call, dynamic=False)(tensors)",
            ("second derivatives: the gradient of a compiled program has no graph",),
            compiles=True,
            like="eager",
        ),
        Mode("vmap", "row by row", "torch.func.vmap(call)(rows)", ROWS_ALONE, like="eager"),
        Mode(
            "autocast",
            "under CPU autocast: to float16 for float16 inputs, else to bfloat16",
            "with torch.autocast('cpu', dtype): call(tensors)",
            like="eager",
            widened=AUTOCAST_TO_FLOAT32,
        ),
        Mode(
            "func",
            "gradients by torch.func: grad of a number, else vjp; second derivatives by jvp of those",
            "torch.func.grad(call)(tensors)",
            like="eager",
        ),
        Mode(
            "jacfwd",
            "gradients by forward mode, a column of the Jacobian an input element",
            "torch.func.jacfwd(call)(tensors)",
            (
                "results that are no number: their gradient would be the suite's own sum over the Jacobian",
                "more than 2,048 input elements, or an upstream gradient other than 1: likewise",
            ),
            like="eager",
        ),
        Mode(
            "export",
            "exported and decomposed to core ATen operators, one program a shape and dtype",
            "torch.export.export(call, tensors).run_decompositions().module()(tensors)",
            (
                "what depends on the data, as the number of classes of a one-hot, or a "
                "distribution's checks: it traces shapes alone",
            ),
            compiles=True,
            like="eager",
        ),
        Mode(
            "refs",
            "by torch._refs, the definitions in Python that take the place of functions",
            "with TorchRefsMode(): call(tensors)",
            ("gradients: the primitives that they are made of have no derivatives",),
            like="eager",
        ),
        Mode(
            "decomp",
            "by torch._decomp, the definitions that compilers take for operators, forward and backward",
            "with a dispatch mode that looks each operator up: call(tensors)",
            like="eager",
        ),
        Mode(
            "loss_parallel",
            "cross-entropy of logits whose classes are sharded, on two ranks of gloo on this machine",
            "with loss_parallel(): call(DTensors)",
            (
                "anything but cross_entropy of labels, label smoothing: its documentation excludes them; "
                "fewer classes than ranks: it hangs",
                "second derivatives, forward mode, two backward passes: its operators have no derivatives",
            ),
        ),
    ),
    devices=(),
    variants=(
        Variant("default", {"ATEN_CPU_CAPABILITY": "default"}, {"cpu_capability": "DEFAULT"}),
        Variant("avx2", {"ATEN_CPU_CAPABILITY": "avx2"}, {"cpu_capability": "AVX2"}, needs=("avx2", "fma")),
        Variant(
            "avx512",
            {"ATEN_CPU_CAPABILITY": "avx512"},
            {"cpu_capability": "AVX512"},
            needs=("avx512f", "avx512dq", "avx512bw", "avx512vl", "fma"),  # torch itself does not look
        ),
        Variant("one_thread", {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}, {"threads": 1}),
    ),
    accelerator="cuda",
    accelerator_probe="import torch; print(torch.cuda.is_available())",
    constraints=(("<2.3", ("numpy<2", "setuptools<70")),),
    requirements=(("<3", ("setuptools",)),),
    wheels=("torch",),
)
