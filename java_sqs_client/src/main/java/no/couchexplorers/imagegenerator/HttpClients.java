package no.couchexplorers.imagegenerator;

import java.time.Duration;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.SdkHttpConfigurationOption;
import software.amazon.awssdk.http.SdkHttpService;
import software.amazon.awssdk.utils.AttributeMap;

/**
 * Gives the SDK our HTTP client also where it makes a client by itself: to assume a role, or to renew a login.
 *
 * <p>The SDK makes one of these by reflection, so the class and its constructor are public.
 */
public final class HttpClients implements SdkHttpService {
    /** Named by the SDK's system setting for its synchronous HTTP service. */
    private static final String SETTING = "software.amazon.awssdk.http.service.impl";

    /** Lets the SDK take these clients from now on. */
    static void register() {
        System.setProperty(SETTING, HttpClients.class.getName());
    }

    @Override
    public SdkHttpClient.Builder<?> createHttpClientBuilder() {
        return new Builder();
    }

    private static final class Builder implements SdkHttpClient.Builder<Builder> {
        @Override
        public SdkHttpClient buildWithDefaults(AttributeMap defaults) {
            AttributeMap options = defaults.merge(SdkHttpConfigurationOption.GLOBAL_HTTP_DEFAULTS);
            Duration connect = options.get(SdkHttpConfigurationOption.CONNECTION_TIMEOUT);
            Duration read = options.get(SdkHttpConfigurationOption.READ_TIMEOUT);
            return new LazyTlsHttpClient(System.getenv(), connect, read);
        }
    }
}
