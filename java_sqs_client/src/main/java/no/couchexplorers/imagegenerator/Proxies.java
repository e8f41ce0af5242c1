package no.couchexplorers.imagegenerator;

import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Through which proxy an address is asked, by the rules that curl and the AWS SDKs share.
 *
 * <p>{@code https_proxy} or {@code HTTPS_PROXY} counts for HTTPS, {@code http_proxy} or {@code HTTP_PROXY} for HTTP, {@code
 * all_proxy} or {@code ALL_PROXY} for what has none of its own; the lower-case spelling first. {@code no_proxy} or {@code
 * NO_PROXY} excepts hosts: a name with all below it, an address, a network like 10.0.0.0/8, or * for all. The loopback
 * address is never asked through a proxy.
 */
final class Proxies {
    private static final Pattern NUMERIC = Pattern.compile("[0-9.]+|[0-9a-f:.]*:[0-9a-f:.]*");
    private static final int HTTPS_PORT = 443;
    private static final int HTTP_PORT = 80;

    private final Map<String, String> environment;

    Proxies(Map<String, String> environment) {
        this.environment = environment;
    }

    /** The proxy for an address; empty where the environment names none, or excepts the address. */
    Optional<ProxyServer> of(URI address) throws UsageException {
        if (excepts(address)) {
            return Optional.empty();
        }
        String scheme = String.valueOf(address.getScheme()).toLowerCase(Locale.ROOT);
        for (String variable : List.of(scheme + "_proxy", "all_proxy")) {
            for (String name : List.of(variable, variable.toUpperCase(Locale.ROOT))) {
                String value = environment.getOrDefault(name, "");
                if (!value.isBlank()) {
                    return Optional.of(ProxyServer.of(name, value));
                }
            }
        }
        return Optional.empty();
    }

    /** Whether an address is to be asked directly, whatever proxy there is. */
    boolean excepts(URI address) {
        String host = plain(address.getHost());
        if (isLoopback(host)) {
            return true;
        }
        int port = address.getPort();
        if (port < 0) {
            port = "https".equalsIgnoreCase(address.getScheme()) ? HTTPS_PORT : HTTP_PORT;
        }
        for (String variable : List.of("no_proxy", "NO_PROXY")) {
            for (String entry : environment.getOrDefault(variable, "").split("[,\\s]+")) {
                if (!entry.isEmpty() && matches(entry.toLowerCase(Locale.ROOT), host, port)) {
                    return true;
                }
            }
        }
        return false;
    }

    private static boolean isLoopback(String host) {
        return host.equals("localhost")
                || host.endsWith(".localhost")
                || numeric(host).map(InetAddress::isLoopbackAddress).orElse(false);
    }

    private static boolean matches(String entry, String host, int port) {
        if (entry.equals("*")) {
            return true;
        }
        String wanted = entry;
        int colon = entry.lastIndexOf(':');
        if (colon > 0 && (entry.indexOf(':') == colon || entry.charAt(colon - 1) == ']')) {
            if (!entry.substring(colon + 1).equals(Integer.toString(port))) {
                return false;
            }
            wanted = entry.substring(0, colon);
        }
        if (wanted.contains("/")) {
            return isWithin(wanted, host);
        }
        wanted = plain(wanted.replaceFirst("^\\*?\\.", ""));
        Optional<InetAddress> address = numeric(wanted);
        if (address.isPresent()) {
            return address.equals(numeric(host));
        }
        return !wanted.isEmpty() && (host.equals(wanted) || host.endsWith("." + wanted));
    }

    /** Whether the host is an address of a network in CIDR notation. */
    private static boolean isWithin(String network, String host) {
        int slash = network.indexOf('/');
        Optional<InetAddress> base = numeric(plain(network.substring(0, slash)));
        Optional<InetAddress> address = numeric(host);
        if (base.isEmpty() || address.isEmpty()) {
            return false;
        }
        byte[] expected = base.get().getAddress();
        byte[] actual = address.get().getAddress();
        String length = network.substring(slash + 1);
        if (expected.length != actual.length || !length.matches("[0-9]{1,3}")) {
            return false;
        }
        int bits = Integer.parseInt(length);
        if (bits > expected.length * Byte.SIZE) {
            return false;
        }
        for (int bit = 0; bit < bits; bit++) {
            int mask = 1 << (Byte.SIZE - 1 - bit % Byte.SIZE);
            if ((expected[bit / Byte.SIZE] & mask) != (actual[bit / Byte.SIZE] & mask)) {
                return false;
            }
        }
        return true;
    }

    /** A host in lower case, without the brackets of IPv6 and the dot of the root. */
    private static String plain(String host) {
        String lower = String.valueOf(host).toLowerCase(Locale.ROOT);
        if (lower.startsWith("[") && lower.endsWith("]")) {
            return lower.substring(1, lower.length() - 1);
        }
        return lower.endsWith(".") ? lower.substring(0, lower.length() - 1) : lower;
    }

    /** The address that a text is; a name is none, and is not looked up. */
    private static Optional<InetAddress> numeric(String host) {
        if (!NUMERIC.matcher(host).matches()) {
            return Optional.empty();
        }
        try {
            return Optional.of(InetAddress.getByName(host));
        } catch (UnknownHostException error) {
            return Optional.empty();
        }
    }
}
