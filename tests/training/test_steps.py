"""Steps in a number format, and weights that are lent."""

from contextlib import suppress

import pytest
import torch

from diffusionseg.training import MixedPrecision, other_weights


def test_lent_weights_are_given_back_also_after_an_error():
    module = torch.nn.BatchNorm1d(2)
    own = {name: value.clone() for name, value in module.state_dict().items()}
    other = {name: value + 1 for name, value in own.items()}
    with suppress(KeyError), other_weights(module, other):
        assert all(torch.equal(value, other[name]) for name, value in module.state_dict().items())
        raise KeyError
    assert all(torch.equal(value, own[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize(
    ("name", "kind", "inside"), [("auto", "cpu", None), ("fp32", "cpu", None), ("bf16", "cpu", torch.bfloat16)]
)
def test_a_format_is_computed_in(name, kind, inside):
    layer = torch.nn.Linear(2, 2)
    with MixedPrecision(name, torch.device(kind)).autocast():
        assert layer(torch.ones(1, 2)).dtype == (inside or torch.float32)


def test_a_step_goes_down_the_shortened_gradient_and_tells_its_norm():
    layer = torch.nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.SGD(layer.parameters(), 1.0)
    precision = MixedPrecision("fp32", torch.device("cpu"))
    before = layer.weight.item()
    for _ in range(2):
        assert precision.step(layer(torch.tensor([[8.0]])).sum(), layer, optimizer, 2.0, "here").item() == 8.0
    assert layer.weight.item() == pytest.approx(before - 4, abs=1e-4)
    before = layer.weight.item()
    with pytest.raises(ValueError, match=r"^the gradient is nan here$"):
        precision.step(layer(torch.tensor([[float("nan")]])).sum(), layer, optimizer, 2.0, "here")
    assert layer.weight.item() == before
