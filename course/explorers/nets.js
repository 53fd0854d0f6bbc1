// Nets to start from in ArchitectureBuilder, each layer in words, and the whole as code for torch.
import { KINDS, fieldOf, shapeText } from "./layers.js";

const times = (n, make) => Array.from({ length: n }, make).flat();
const conv3 = (filters) => [["conv", filters, 3, 1, 1], "relu"];
const dense = (features) => [["linear", features], "relu", "dropout"];
const normed = (filters, stride) => [["conv", filters, 3, stride, 1, 1, 1, false], "batchnorm"];
const block = (filters, stride) => [["residual", [...normed(filters, stride), "relu", ...normed(filters, 1)],
  ...(stride > 1 ? [[["conv", filters, 1, stride, 0, 1, 1, false], "batchnorm"]] : [])], "relu"];

// As in the papers: LeNet-5 with plain average pooling, AlexNet with its two groups; VGG-16 and ResNet-18 as torchvision has them.
export const NETS = {
  "lenet-5": ["LeNet-5", [1, 32, 32], [["conv", 6, 5], "tanh", ["avgpool", 2], ["conv", 16, 5], "tanh", ["avgpool", 2], ["conv", 120, 5], "tanh",
    "flatten", ["linear", 84], "tanh", ["linear", 10]]],
  alexnet: ["AlexNet", [3, 227, 227], [["conv", 96, 11, 4], "relu", "lrn", ["maxpool", 3, 2], ["conv", 256, 5, 1, 2, 1, 2], "relu", "lrn", ["maxpool", 3, 2],
    ...conv3(384), ["conv", 384, 3, 1, 1, 1, 2], "relu", ["conv", 256, 3, 1, 1, 1, 2], "relu", ["maxpool", 3, 2], "flatten",
    "dropout", ["linear", 4096], "relu", "dropout", ["linear", 4096], "relu", ["linear", 1000]]],
  "vgg-16": ["VGG-16", [3, 224, 224], [...[[64, 2], [128, 2], [256, 3], [512, 3], [512, 3]].flatMap(([filters, n]) => [...times(n, () => conv3(filters)), ["maxpool", 2]]),
    "flatten", ...dense(4096), ...dense(4096), ["linear", 1000]]],
  "resnet-18": ["ResNet-18", [3, 224, 224], [["conv", 64, 7, 2, 3, 1, 1, false], "batchnorm", "relu", ["maxpool", 3, 2, 1],
    ...[64, 128, 256, 512].flatMap((filters, n) => [...block(filters, n ? 2 : 1), ...block(filters, 1)]), "adaptivepool", "flatten", ["linear", 1000]]],
};

// Numbers as a row says them.
export const exact = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
const scaled = (n, step, units) => {
  let unit = 0;
  while (n >= step && unit < units.length - 1) { n /= step; unit++; }
  return `${unit ? (n < 100 ? Number(n.toPrecision(3)) : Math.round(n)) : n} ${units[unit]}`.trim();
};
export const COST = { parameters: exact, multiplyAdds: (n) => scaled(n, 1000, ["", "k", "M", "G", "T"]), memory: (n) => scaled(n, 1024, ["B", "KiB", "MiB", "GiB"]) };

export function seen(row) {
  const field = fieldOf(row);
  return field.includes(null) ? "varies" : field.join(" × ");
}

// The layer as a row says it.
export function words([kind, ...v]) {
  if (kind === "residual") return `residual: ${v[0].map(brief).join(", ") || "nothing"} + ${v[1].map(brief).join(", ") || "what came in"}`;
  if (kind === "linear") return `linear ${v[0]}${v[1] ? "" : ", no bias"}`;
  if (!["conv", "maxpool", "avgpool"].includes(kind)) return [kind, ...v].join(" ");
  const [kernel, stride, padding, dilation = 1, groups = 1, bias = true] = kind === "conv" ? v.slice(1) : v;
  const said = [kind === "conv" ? `${v[0]} of ${kernel} × ${kernel}` : `${kernel} × ${kernel}`];
  for (const [name, value, usual] of [["stride", stride, 1], ["padding", padding, 0], ["dilation", dilation, 1], ["groups", groups, 1]]) if (value !== usual) said.push(`${name} ${value}`);
  return `${kind} ${said.join(", ")}${bias ? "" : ", no bias"}`;
}

const brief = ([kind, ...v]) => (kind === "conv" ? `conv ${v[0]}` : kind === "linear" ? `linear ${v[0]}` : kind);

// Where the numbers of a row come from, a line each.
export function sums(row) {
  const { layer: [kind, ...v], before: [channels, ...sizes], shape } = row, lines = [], bias = kind === "conv" ? v[6] : v[1];
  if (kind === "residual") lines.push(`parameters and multiply-adds = body + shortcut; memory = body + shortcut + the sum`);
  if (kind === "conv" || kind === "linear") {
    const per = kind === "linear" ? `${channels}` : v[5] > 1 ? `(${channels} / ${v[5]}) × ${v[1]} × ${v[1]}` : `${channels} × ${v[1]} × ${v[1]}`;
    lines.push(`parameters    = ${v[0]} × ${per}${bias ? ` + ${v[0]}` : ""} = ${exact(row.parameters)}`);
    lines.push(`multiply-adds = ${shapeText(shape)} × ${per} = ${exact(row.multiplyAdds)}`);
  }
  if (kind === "batchnorm") lines.push(`parameters    = ${channels} scales + ${channels} shifts = ${exact(row.parameters)}`);
  if (["conv", "maxpool", "avgpool"].includes(kind)) {
    const [kernel, stride, padding, dilation] = kind === "conv" ? v.slice(1, 5) : [...v, 1];
    sizes.forEach((size, n) => lines.push(`${["rows out      ", "columns out   "][n]}= ⌊(${size} + 2 × ${padding} − ${dilation} × (${kernel} − 1) − 1) / ${stride}⌋ + 1 = ${shape[n + 1]}`));
  }
  if (kind === "flatten") lines.push(`numbers       = ${shapeText(row.before)} = ${exact(shape[0])}; a view, so no new memory`);
  else if (kind !== "residual") lines.push(`memory        = ${shapeText(shape)} × 4 bytes = ${exact(row.memory)} bytes`);
  return lines;
}

const given = (...pairs) => pairs.filter(([, value, usual]) => value !== usual).map(([name, value]) => `, ${name}=${value === false ? "False" : value}`).join("");
const TORCH = {
  conv: (v, [c]) => `Conv2d(${c}, ${v[0]}, ${v[1]}${given(["stride", v[2], 1], ["padding", v[3], 0], ["dilation", v[4], 1], ["groups", v[5], 1], ["bias", v[6], true])})`,
  maxpool: (v) => `MaxPool2d(${v[0]}${given(["stride", v[1], v[0]], ["padding", v[2], 0])})`,
  avgpool: (v) => `AvgPool2d(${v[0]}${given(["stride", v[1], v[0]], ["padding", v[2], 0])})`,
  adaptivepool: (v) => `AdaptiveAvgPool2d(${v[0]})`,
  batchnorm: (v, shape) => `BatchNorm${shape.length > 1 ? 2 : 1}d(${shape[0]})`,
  lrn: (v) => `LocalResponseNorm(${v[0]})`,
  relu: () => "ReLU()", tanh: () => "Tanh()", sigmoid: () => "Sigmoid()", gelu: () => "GELU()", silu: () => "SiLU()",
  leakyrelu: (v) => `LeakyReLU(${v[0]})`, softmax: () => "Softmax(dim=1)", dropout: (v) => `Dropout(${v[0]})`, flatten: () => "Flatten()",
  linear: (v, [f]) => `Linear(${f}, ${v[0]}${given(["bias", v[1], true])})`,
};

function linesOf(rows, depth) {
  const tab = "    ".repeat(depth);
  return rows.flatMap(({ layer: [kind, ...v], before, inner, path }) => {
    if (kind !== "residual") return `${tab}nn.${TORCH[kind](v, before)},`;
    const part = (n) => inner.filter((row) => row.path[path.length] === n);
    const list = (name, found) => (found.length ? [`${tab}    ${name}nn.Sequential(`, ...linesOf(found, depth + 2), `${tab}    ),`] : []);
    return [`${tab}Residual(`, ...(part(1).length ? list("", part(1)) : [`${tab}    nn.Identity(),`]), ...list("shortcut=", part(2)), `${tab}),`];
  });
}

const RESIDUAL = ["class Residual(nn.Module):", "    def __init__(self, body, shortcut=None):", "        super().__init__()", "        self.body = body",
  "        self.shortcut = nn.Identity() if shortcut is None else shortcut", "", "    def forward(self, x):", "        return self.body(x) + self.shortcut(x)", "", ""];

// The net as PyTorch, from solveNet()'s rows.
export function torchNet(rows, input) {
  const blocks = rows.some(({ layer }) => layer[0] === "residual");
  return ["import torch", "from torch import nn", "", ...(blocks ? ["", ...RESIDUAL] : []), "net = nn.Sequential(", ...linesOf(rows, 1), ")",
    `print(net(torch.zeros(2, ${input.join(", ")})).shape)  # two images`, "print(sum(weights.numel() for weights in net.parameters()))", ""].join("\n");
}

export const kindNames = () => Object.entries(KINDS).map(([kind, { name }]) => [kind, name]);
