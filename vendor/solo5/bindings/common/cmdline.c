/*
 * cmdline.c: the --solo5:* options, which only count at the front of the
 * command line and which the application does not see.
 */
static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static const char *cmdline_parse(const char *cmdline)
{
    static const struct {
        const char *option;
        enum log_level level;
    } options[] = {
        { "--solo5:quiet", LOG_ERROR },
        { "--solo5:error", LOG_ERROR },
        { "--solo5:warn", LOG_WARN },
        { "--solo5:info", LOG_INFO },
        { "--solo5:debug", LOG_DEBUG },
    };
    bool found;

    do {
        found = false;
        while (is_space(*cmdline))
            cmdline++;
        for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
            size_t length = starts_with(cmdline, options[i].option);
            if (length > 0
                    && (cmdline[length] == '\0' || is_space(cmdline[length]))) {
                log_level_max = options[i].level;
                cmdline += length;
                found = true;
                break;
            }
        }
    } while (found);
    return cmdline;
}
