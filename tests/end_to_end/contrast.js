// Lists the texts in an element that are too pale against what lies behind them: WCAG 2.2, 1.4.3, level AA asks for a
// contrast of 4.5, for large text of 3. Disabled controls and texts over pictures are exempt.
async (root) => {
  // A new theme and size are there once they are drawn.
  await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
  const brush = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    brush.clearRect(0, 0, 1, 1);
    brush.fillStyle = colour;
    brush.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (front, alpha, back) => front.map((part, i) => part * alpha + back[i] * (1 - alpha));
  const luminance = (colour) => {
    const [r, g, b] = colour.map((part) => part / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const layers = [];
    for (let it = element; it; it = it.parentElement) {
      const [r, g, b, a] = rgba(getComputedStyle(it).backgroundColor);
      layers.unshift([[r, g, b], a]);
      if (a === 1) break;
    }
    return layers.reduce((back, [colour, alpha]) => over(colour, alpha, back), [255, 255, 255]);
  };
  const opacity = (element) => {
    let product = 1;
    for (let it = element; it; it = it.parentElement) product *= Number(getComputedStyle(it).opacity);
    return product;
  };
  const pale = [];
  const check = (element, text, style) => {
    const [r, g, b, a] = rgba(style.color);
    // A text that only a screen reader meets.
    if (a === 0) return;
    const back = behind(element);
    const [light, dark] = [over([r, g, b], a * opacity(element), back), back].map(luminance).sort((x, y) => y - x);
    const ratio = (light + 0.05) / (dark + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) pale.push(`${ratio.toFixed(1)} ${text.trim().slice(0, 60)}`);
  };
  for (const element of root.querySelectorAll("*")) {
    if (!element.checkVisibility({ visibilityProperty: true }) || element.closest(":disabled, style")) continue;
    const text = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data).join(" ");
    if (text.trim()) check(element, text, getComputedStyle(element));
    if (element.matches("input, textarea")) {
      if (element.value) check(element, element.value, getComputedStyle(element));
      else if (element.placeholder) check(element, element.placeholder, getComputedStyle(element, "::placeholder"));
    }
  }
  return pale;
}
