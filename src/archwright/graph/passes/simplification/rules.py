"""The table of rules, in the order in which they are tried. A new rule is a line here.

Legend: S candidates that share, R the others, p_S the sum of the weights of S, p_i|S = p_i / p_S;
K_i the kernels of convolutions, keep_i the first w_i channels. Numbers of equations are those of
the TopoNAS paper.
"""

from archwright.graph.passes.simplification.merging import merge, merge_masks, normalise
from archwright.graph.passes.simplification.rule import Rule
from archwright.graph.passes.simplification.sharing import distribute, share_floating, share_partial

_SUM = ("sum",)
_ANY = ("sum", "kernel", "stack")

RULES: tuple[Rule, ...] = (
    # sum_S p_i t(u_i(h(x))) + sum_R p_i o_i(x)
    #   -> p_S t( sum_S p_i|S u_i(h(x)) ) + sum_R p_i o_i(x)                    (eq. 4 to 10)
    Rule("pms", "sharing", _SUM, share_partial),
    # sum_i p_i [l_i(x) | r_i(x)]  ->  [sum_i p_i l_i(x) | sum_i p_i r_i(x)]
    Rule("pms", "exact", _SUM, distribute),
    # sum_S p_i v_i(m(u_i(x)))
    #   -> p_S sum_S p_i|S v_i(m(z)),  z = sum_S p_i|S u_i(x)                   (eq. 11 to 13)
    Rule("fms", "sharing", _SUM, share_floating),
    # K_i  ->  (K_i - mean) / scale                                             (eq. 28)
    Rule("norm", "sharing", _ANY, normalise),
    # sum_S p_i conv(x; K_i)  ->  conv(x; sum_S p_i K_i)                        (eq. 14 to 16)
    Rule("merge", "exact", _SUM, merge),
    # sum_i p_i keep_i(x)  ->  diag(m) x,  m_c = sum of p_i over widths w_i >= c
    # (Wan et al., FBNetV2, CVPR 2020: channel masking, here where the candidates share all else)
    Rule("merge", "exact", _SUM, merge_masks),
)
