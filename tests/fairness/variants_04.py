"""Other ways to work out the exercises of unit 04."""

import numpy as np

from tests.fairness.variants import variant


@variant("normalize_batch", "a loop over the features")
def _(x, eps=1e-5):
    out = np.zeros(x.shape)
    for d in range(x.shape[1]):
        column = x[:, d]
        out[:, d] = (column - np.mean(column)) / (np.var(column) + eps) ** 0.5
    return out


@variant("normalize_batch", "sums, and the mean of squares less the square of the mean")
def _(x, eps=1e-5):
    mean = x.sum(axis=0) / len(x)
    var = (x * x).sum(axis=0) / len(x) - mean * mean
    return (x - mean) * (1 / np.sqrt(np.maximum(var, 0) + eps))


@variant("normalize_batch", "transposed")
def _(x, eps=1e-5):
    centred = x.T - x.T.mean(axis=1, keepdims=True)
    return (centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + eps)).T


@variant("batch_norm", "in float32, as a list")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    x, gamma, beta, rm, rv = (a.astype(np.float32) for a in (x, gamma, beta, running_mean, running_var))
    if not training:
        return [gamma * (x - rm) / np.sqrt(rv + eps) + beta, rm, rv]
    mean, var, n = x.mean(0), x.var(0), len(x)
    out = gamma * (x - mean) / np.sqrt(var + eps) + beta
    return [out, rm + momentum * (mean - rm), rv + momentum * (var * n / (n - 1) - rv)]


@variant("batch_norm", "one scale and one shift, copies of the buffers")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    new_mean, new_var = running_mean.copy(), running_var.copy()
    mean, var = new_mean, new_var
    if training:
        mean = sum(x) / len(x)
        squares = sum((x - mean) ** 2)
        var = squares / len(x)
        new_mean = momentum * mean + (1 - momentum) * new_mean
        new_var = momentum * squares / (len(x) - 1) + (1 - momentum) * new_var
    scale = gamma / np.sqrt(var + eps)
    return x * scale + (beta - mean * scale), new_mean, new_var


@variant("batch_norm", "features one by one, lists")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    columns, means, variances = [], [], []
    for d in range(x.shape[1]):
        mean, var = running_mean[d], running_var[d]
        new_mean, new_var = mean, var
        if training:
            mean, var = np.mean(x[:, d]), np.var(x[:, d])
            new_mean = new_mean * (1 - momentum) + momentum * mean
            new_var = new_var * (1 - momentum) + momentum * np.var(x[:, d], ddof=1)
        columns.append((x[:, d] - mean) / np.sqrt(var + eps) * gamma[d] + beta[d])
        means.append(new_mean)
        variances.append(new_var)
    return np.stack(columns, axis=1), means, variances


def _step_by_step(grad_out, x, gamma, axes, shape, eps):
    """Return the gradients by the chain rule through variance and mean, one after the other."""
    count = x.size / gamma.size
    mean = x.mean(axis=axes, keepdims=True)
    var = ((x - mean) ** 2).mean(axis=axes, keepdims=True)
    hat = (x - mean) / np.sqrt(var + eps)
    d_hat = grad_out * gamma.reshape(shape)
    d_var = (d_hat * (x - mean) * -0.5 * (var + eps) ** -1.5).sum(axis=axes, keepdims=True)
    d_mean = (-d_hat / np.sqrt(var + eps)).sum(axis=axes, keepdims=True)
    d_mean = d_mean + d_var * (-2 * (x - mean)).mean(axis=axes, keepdims=True)
    grad_x = d_hat / np.sqrt(var + eps) + d_var * 2 * (x - mean) / count + d_mean / count
    return grad_x, (grad_out * hat).sum(axis=axes), grad_out.sum(axis=axes)


@variant("batch_norm_backward", "variance first, then the mean")
def _(grad_out, x, gamma, eps=1e-5):
    return _step_by_step(grad_out, x, gamma, 0, (1, -1), eps)


@variant("batch_norm_backward", "the sums in one formula")
def _(grad_out, x, gamma, eps=1e-5):
    n, inverse = len(x), (x.var(axis=0) + eps) ** -0.5
    hat = (x - x.mean(axis=0)) * inverse
    grad_beta, grad_gamma = grad_out.sum(axis=0), (grad_out * hat).sum(axis=0)
    return gamma * inverse / n * (n * grad_out - grad_beta - hat * grad_gamma), grad_gamma, grad_beta


@variant("batch_norm_backward", "the whole Jacobian of each feature")
def _(grad_out, x, gamma, eps=1e-5):
    n, grad_x = len(x), np.zeros(x.shape)
    root = np.sqrt(x.var(axis=0) + eps)
    hat = (x - x.mean(axis=0)) / root
    for d in range(x.shape[1]):
        jacobian = (np.eye(n) - 1 / n - np.outer(hat[:, d], hat[:, d]) / n) / root[d]
        grad_x[:, d] = jacobian @ (gamma[d] * grad_out[:, d])
    return [grad_x, np.einsum("nd,nd->d", grad_out, hat), np.einsum("nd->d", grad_out)]


@variant("batch_norm2d", "three axes, keepdims")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    def column(a):
        return np.asarray(a)[None, :, None, None]

    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
        count = x.size // x.shape[1]
        running_mean = momentum * mean + (1 - momentum) * running_mean
        running_var = momentum * var * count / (count - 1) + (1 - momentum) * running_var
    hat = (x - column(mean)) / np.sqrt(column(var) + eps)
    return column(gamma) * hat + column(beta), running_mean, running_var


@variant("batch_norm2d", "channel by channel")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    out, means, variances = np.zeros(x.shape), np.array(running_mean), np.array(running_var)
    for c in range(x.shape[1]):
        plane, mean, var = x[:, c], running_mean[c], running_var[c]
        if training:
            mean, var = plane.mean(), plane.var()
            means[c] += momentum * (mean - means[c])
            variances[c] += momentum * (plane.var(ddof=1) - variances[c])
        out[:, c] = gamma[c] * (plane - mean) / np.sqrt(var + eps) + beta[c]
    return out, means, variances


@variant("batch_norm2d", "channels first, one row each")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    n, c, h, w = x.shape
    rows = np.swapaxes(x, 0, 1).reshape(c, -1).astype(float)
    mean, var = running_mean, running_var
    if training:
        mean, var = rows.mean(1), rows.var(1)
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * np.cov(rows).reshape(c, c).diagonal()
    rows = (rows - mean[:, None]) / np.sqrt(var + eps)[:, None] * gamma[:, None] + beta[:, None]
    return rows.reshape(c, n, h, w).swapaxes(0, 1), running_mean, running_var


@variant("batch_norm2d_backward", "variance first, then the mean")
def _(grad_out, x, gamma, eps=1e-5):
    return _step_by_step(grad_out, x, gamma, (0, 2, 3), (1, -1, 1, 1), eps)


@variant("batch_norm2d_backward", "the sums in one formula")
def _(grad_out, x, gamma, eps=1e-5):
    axes, count = (0, 2, 3), x.size // len(gamma)
    inverse = (x.var(axis=axes, keepdims=True) + eps) ** -0.5
    hat = (x - x.mean(axis=axes, keepdims=True)) * inverse
    total, paired = grad_out.sum(axes, keepdims=True), (grad_out * hat).sum(axes, keepdims=True)
    grad_x = gamma.reshape(1, -1, 1, 1) * inverse * (grad_out - total / count - hat * paired / count)
    return grad_x, paired.ravel(), total.ravel()


@variant("batch_norm2d_backward", "channel by channel")
def _(grad_out, x, gamma, eps=1e-5):
    grad_x, grad_gamma, grad_beta = np.zeros(x.shape), [], []
    for c in range(len(gamma)):
        root = np.sqrt(x[:, c].var() + eps)
        hat, g = (x[:, c] - x[:, c].mean()) / root, grad_out[:, c]
        grad_x[:, c] = gamma[c] / root * (g - g.mean() - hat * (g * hat).mean())
        grad_gamma.append(float((g * hat).sum()))
        grad_beta.append(float(g.sum()))
    return grad_x, grad_gamma, grad_beta


@variant("fold_batch_norm", "einsum")
def _(w, b, gamma, beta, running_mean, running_var, eps=1e-5):
    scale = gamma * (running_var + eps) ** -0.5
    return np.einsum("ochw,o->ochw", w, scale), beta + scale * b - scale * running_mean


@variant("fold_batch_norm", "filter by filter")
def _(w, b, gamma, beta, running_mean, running_var, eps=1e-5):
    new_w, new_b = w.astype(float), b.astype(float)
    for o in range(len(w)):
        root = np.sqrt(running_var[o] + eps)
        new_w[o] = gamma[o] * w[o] / root
        new_b[o] = gamma[o] * (b[o] - running_mean[o]) / root + beta[o]
    return new_w, new_b


@variant("fold_batch_norm", "a diagonal matrix times the filters as rows")
def _(w, b, gamma, beta, running_mean, running_var, eps=1e-5):
    matrix = np.diag(gamma / np.sqrt(running_var + eps))
    return [(matrix @ w.reshape(len(w), -1)).reshape(w.shape), matrix @ (b - running_mean) + beta]


@variant("local_response_norm", "a loop over the channels")
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    out, half = np.zeros(x.shape), size // 2
    for c in range(x.shape[1]):
        window = x[:, max(0, c - half) : c + half + 1]
        out[:, c] = x[:, c] / (k + alpha * (window**2).sum(axis=1) / size) ** beta
    return out


@variant("local_response_norm", "differences of cumulative sums")
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    half, channels = size // 2, x.shape[1]
    sums = np.concatenate([np.zeros_like(x[:, :1]), np.cumsum(x * x, axis=1)], axis=1)
    places = np.arange(channels)
    total = sums[:, np.minimum(places + half + 1, channels)] - sums[:, np.maximum(places - half, 0)]
    return x * (k + alpha / size * total) ** -beta


@variant("local_response_norm", "a band matrix over the channels")
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    places = np.arange(x.shape[1])
    band = (np.abs(places[:, None] - places) <= size // 2) / size
    return x / np.power(k + alpha * np.einsum("dc,nchw->ndhw", band, x**2), beta)
